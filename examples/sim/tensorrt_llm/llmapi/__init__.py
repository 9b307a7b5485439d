"""What `bin/trtllm-llmapi-launch` runs on every rank of a server."""
