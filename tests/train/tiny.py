"""A random model of a million weights with the packaged model's tokenizer: trained and loaded in seconds."""

from pathlib import Path

from grmeval.engines.models import resolve

__all__ = ["tiny_llama"]


def tiny_llama(folder: Path, width: int = 64, layers: int = 2, seed: int = 0) -> Path:
    """Make the model folder; heads of 32, which vLLM takes on a CPU too."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(resolve("demo", None).location)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 32,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
