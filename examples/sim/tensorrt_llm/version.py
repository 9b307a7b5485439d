"""The version that the servers say they are: the one whose commands the sim follows, marked as its own."""

__version__ = "1.3.0+sim"
