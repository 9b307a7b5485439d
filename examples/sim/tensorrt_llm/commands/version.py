"""What differs between the versions of trtllm-serve."""

# With it a server writes its address to a file, once it has one. None: there is no such option.
ADDRESS_OPTION = "--report_addr"
