"""A causal language model of a few thousand random weights, made from a config: nothing is loaded
from anywhere."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from mirrorenv.llm.engine import Engine
from mirrorenv.llm.model import LanguageModel

TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


def tiny_tokenizer(template=TEMPLATE):
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    made.pre_tokenizer, made.decoder = (
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        decoders.ByteLevel(),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<|start|>", eos_token="<|end|>"
    )
    tokenizer.chat_template = template
    return tokenizer


def tiny_model(seed=0, longest=4096, template=TEMPLATE):
    tokenizer = tiny_tokenizer(template)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=longest,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
        initializer_range=0.35,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    return LanguageModel(model, tokenizer, "tiny")


def tiny_engine(**given):
    model = tiny_model(**given)
    return Engine(lambda: model)


def brute(model, context, text, temperature=1.0):
    """Nats of a text after a context: the whole sequence at once, no cache, no batch, no
    padding."""
    with torch.inference_mode():
        logits = model.model(torch.tensor([[*context, *text]]), use_cache=False).logits[0].double()
    total = 0.0
    for place, token in enumerate(text, start=len(context)):
        total += float(torch.log_softmax(logits[place - 1] / temperature, dim=-1)[token])
    return total
