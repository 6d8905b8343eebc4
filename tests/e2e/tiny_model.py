#!/usr/bin/env python3
"""Writes random weights that a real engine loads: a Llama decoder and a BERT embedder, as GGUF.

    tiny_model.py FOLDER        writes chat.gguf and embed.gguf there

The decoder writes nothing but printable ASCII and never ends by itself, so an answer has exactly the
tokens that were asked for. It is large enough to take a few milliseconds for each, so that there is
time to break something in the middle. Same numbers on every run.
"""

import sys
from pathlib import Path

import gguf
import numpy as np

PAD, START, END = "<pad>", "<turn>", "</turn>"
PRINTABLE = range(0x20, 0x7F)
# What a byte looks like in a byte-level vocabulary: itself when it is visible, else a spare letter.
VISIBLE = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
TEMPLATE = (
    "{%- for message in messages -%}"
    "<turn>{{ message.role }}: {{ message.content }}</turn>"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<turn>assistant: {%- endif -%}"
)


class Weights:
    """Matrices of one seed, in the order in which they are asked for."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def matrix(self, rows, columns, scale=1.0):
        noise = self.rng.standard_normal((rows, columns), dtype=np.float32)
        return noise * np.float32(scale / np.sqrt(columns))


def byte_letters():
    hidden = iter(range(0x100, 0x200))
    return [chr(b) if b in VISIBLE else chr(next(hidden)) for b in range(256)]


def write(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def chat(path, *, layers=6, width=384, heads=6, context=8192, seed=20):
    """A decoder with `heads` query heads and half as many key heads."""
    letters = byte_letters()
    pairs = [("a", "n"), ("o", "u")]
    tokens = [PAD, START, END, *letters, *("".join(p) for p in pairs)]
    head, inner = width // heads, 2 * width
    w = Weights(seed)
    g = gguf.GGUFWriter(path, "llama")
    g.add_name("ocf-tiny-chat")
    g.add_file_type(gguf.LlamaFileType.ALL_F32)
    g.add_vocab_size(len(tokens))
    g.add_context_length(context)
    g.add_embedding_length(width)
    g.add_feed_forward_length(inner)
    g.add_block_count(layers)
    g.add_head_count(heads)
    g.add_head_count_kv(heads // 2)
    g.add_rope_dimension_count(head)
    g.add_layer_norm_rms_eps(1e-6)
    g.add_tokenizer_model("gpt2")
    g.add_tokenizer_pre("gpt-2")
    g.add_token_list(tokens)
    control = {PAD, START, END}
    g.add_token_types([gguf.TokenType.CONTROL if t in control else gguf.TokenType.NORMAL for t in tokens])
    g.add_token_merges([" ".join(p) for p in pairs])
    g.add_bos_token_id(tokens.index(START))
    g.add_eos_token_id(tokens.index(END))
    g.add_pad_token_id(tokens.index(PAD))
    g.add_add_bos_token(False)
    g.add_chat_template(TEMPLATE)

    logits = w.matrix(len(tokens), width, scale=4)
    sayable = {tokens.index(letters[b]) for b in PRINTABLE}
    logits[[i for i in range(len(tokens)) if i not in sayable]] = 0
    ones = np.ones(width, np.float32)
    g.add_tensor("token_embd.weight", w.matrix(len(tokens), width, scale=np.sqrt(width)))
    g.add_tensor("output_norm.weight", ones)
    g.add_tensor("output.weight", logits)
    for i in range(layers):
        block = {
            "attn_q": (width, width), "attn_k": (width // 2, width), "attn_v": (width // 2, width),
            "attn_output": (width, width), "ffn_gate": (inner, width), "ffn_up": (inner, width),
            "ffn_down": (width, inner),
        }
        for name, shape in block.items():
            g.add_tensor(f"blk.{i}.{name}.weight", w.matrix(*shape))
        g.add_tensor(f"blk.{i}.attn_norm.weight", ones)
        g.add_tensor(f"blk.{i}.ffn_norm.weight", ones)
    write(g)


def embedder(path, *, layers=2, width=48, heads=3, context=256, seed=21):
    """An encoder with mean pooling over WordPiece letters."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?-'"
    # GGUF marks what begins a word; WordPiece marks what continues it.
    tokens = special + ["\u2581" + c for c in letters] + list(letters)
    inner = 2 * width
    w = Weights(seed)
    g = gguf.GGUFWriter(path, "bert")
    g.add_name("ocf-tiny-embed")
    g.add_file_type(gguf.LlamaFileType.ALL_F32)
    g.add_context_length(context)
    g.add_embedding_length(width)
    g.add_feed_forward_length(inner)
    g.add_block_count(layers)
    g.add_head_count(heads)
    g.add_layer_norm_eps(1e-12)
    g.add_causal_attention(False)
    g.add_pooling_type(gguf.PoolingType.MEAN)
    g.add_tokenizer_model("bert")
    g.add_tokenizer_pre("default")
    g.add_token_list(tokens)
    g.add_token_types([gguf.TokenType.CONTROL if t in special else gguf.TokenType.NORMAL for t in tokens])
    g.add_token_type_count(2)
    g.add_pad_token_id(0)
    g.add_unk_token_id(1)
    g.add_bos_token_id(2)
    g.add_sep_token_id(3)
    g.add_eos_token_id(3)
    g.add_mask_token_id(4)

    zeros, ones = np.zeros, np.ones
    g.add_tensor("token_embd.weight", w.matrix(len(tokens), width))
    g.add_tensor("position_embd.weight", w.matrix(context, width, scale=0.1))
    g.add_tensor("token_types.weight", zeros((2, width), np.float32))
    g.add_tensor("token_embd_norm.weight", ones(width, np.float32))
    g.add_tensor("token_embd_norm.bias", zeros(width, np.float32))
    for i in range(layers):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            g.add_tensor(f"blk.{i}.{name}.weight", w.matrix(width, width))
            g.add_tensor(f"blk.{i}.{name}.bias", zeros(width, np.float32))
        for name, rows, columns in (("ffn_up", inner, width), ("ffn_down", width, inner)):
            g.add_tensor(f"blk.{i}.{name}.weight", w.matrix(rows, columns))
            g.add_tensor(f"blk.{i}.{name}.bias", zeros(rows, np.float32))
        for name in ("attn_output_norm", "layer_output_norm"):
            g.add_tensor(f"blk.{i}.{name}.weight", ones(width, np.float32))
            g.add_tensor(f"blk.{i}.{name}.bias", zeros(width, np.float32))
    write(g)


def make(folder):
    """Writes both models into `folder` unless they are there; returns their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, build in (("chat.gguf", chat), ("embed.gguf", embedder)):
        path = folder / name
        if not path.exists():
            new = path.with_suffix(".new")
            build(str(new))
            new.rename(path)
        made.append(path)
    return made


if __name__ == "__main__":
    for file in make(sys.argv[1] if len(sys.argv) > 1 else "."):
        print(file)
