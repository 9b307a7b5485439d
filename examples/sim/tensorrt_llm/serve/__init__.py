"""The HTTP servers: one worker, or the coordinator in front of several."""
