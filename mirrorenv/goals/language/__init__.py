"""A hierarchy of guides over the hidden states of a language model."""
