"""Where models are below LLM_MODELS_ROOT, by the names that configs give them."""

MODEL_PATH_DICT = {
    "sim_llama_fp8": "llama/fp8",
    "sim_moe_fp4": "moe/sim-moe-fp4-v2/",
    "sim_gemma_bf16": "gemma/sim-gemma-it",
}
