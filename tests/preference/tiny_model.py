"""A language model that is made here: two layers, some hundred words of one character each, random
weights."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = (
    "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<a>{% endif %}"
)


def make_tiny_model(folder: Path, *, spread: float = 0.02, seed: int = 0) -> Path:
    """Write a model that transformers can load.

    Args:
        folder: an existing one.
        spread: standard deviation of its weights. At 0.02 every word is about as likely as any
            other, and stays so whatever an adapter does to attention; at 0.2 the model has habits,
            and can change them.
        seed: of the weights.

    Returns:
        the folder.
    """
    import torch
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    marks = ["<pad>", "<end>", "<unk>", "<s>", "<u>", "<a>"]
    letters = [chr(code) for code in range(32, 127)]
    vocabulary = {word: number for number, word in enumerate([*marks, *letters])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    made.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token="<end>",
        pad_token="<pad>",
        unk_token="<unk>",
        additional_special_tokens=["<s>", "<u>", "<a>"],
    )
    tokenizer.chat_template = TEMPLATE
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=1,
        pad_token_id=0,
        initializer_range=spread,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
