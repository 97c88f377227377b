"""The reward model before its head is fitted: the language model, and two layers above it that are wired by hand.

The language model knows more than its samples show: at the token where a solution goes wrong, another one was nearly as
likely or likelier. A head on top of its last layer cannot see that, because what it expected at a token is in the
stream of the token before. So the scorer is its four layers in a wider stream (the added dimensions hold a code of each
token and are too small to disturb a norm) and above them:

* layer 5, attention: one head looks at the token before, and only there, and brings what the language model expected
  (its logits of the tokens that solutions are written with); a second one finds out whether a line has ended, which
  parts the solution from the question.
* layer 5, neurons: one for each pair of such tokens: by how much `b` was expected above the written `a`. Their sum is
  the token's doubt, about 0 where nothing else was likelier.
* layer 6, attention: heads that take soft maxima of the doubts so far, each of another sharpness.

So every token carries the largest doubts of the solution until there, and a head of one number can weigh them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
)

WIDTH = 256
"""Of the stream: what the language model has (192), and what is added."""
LAYERS_ABOVE = 2
CODE = 2.0**-10
"""Size of a token's code in the stream: 1/200 of an embedding's."""
ANCHOR = 2.0**17
"""A number so large that every token's stream has about the same norm, and no norm above rescales what is compared."""
HEAD = 32
SLOWEST = HEAD // 2 - 1
"""The dimension of a head that turns least with the position: 0.01 radians in 60 tokens."""
SHARPNESS = (0.0, 0.3, 1.0, 3.0)
"""Of the soft maxima, a head each; 0 takes the mean."""


@dataclass(frozen=True)
class Places:
    """What stands where in the added dimensions of the stream."""

    written: tuple[int, ...]  # ids of the tokens that solutions are written with
    question_end: int  # id of the token that ends every question
    line_break: int

    @property
    def code(self) -> int:
        """First of the codes: one dimension for each written token, then one for the end of the question."""
        return 192

    @property
    def expected(self) -> int:
        """First of the logits of the written tokens at the token before."""
        return self.code + len(self.written) + 1

    @property
    def behind_question(self) -> int:
        """Is the token before the end of the question?"""
        return self.expected + len(self.written)

    @property
    def lines_ended(self) -> int:
        """Has a line ended?"""
        return self.behind_question + 1

    @property
    def inside(self) -> int:
        """1 in the solution, 0 in the question and at the line break behind it."""
        return self.behind_question + 2

    @property
    def doubt(self) -> int:
        """How far other tokens were expected above the written one."""
        return self.behind_question + 3

    @property
    def anchor(self) -> int:
        """Always ANCHOR; behind a norm, 1."""
        return self.behind_question + 4

    @property
    def worst(self) -> int:
        """First of the soft maxima of the doubts so far."""
        return self.behind_question + 5


def places_of(tokenizer: PreTrainedTokenizerFast) -> Places:
    """Of a tokenizer with a token for every digit and operator."""
    signs = {tokenizer.encode(f"1{sign}1")[1] for sign in "+-*/="}
    written = sorted({*tokenizer.encode("0123456789\n"), *signs, *tokenizer.encode("1\n#### 1")})
    return Places(tuple(written), tokenizer.encode("left?")[-1], tokenizer.encode("\n")[-1])


@torch.no_grad()
def wired_scorer(folder: Path) -> tuple[LlamaForSequenceClassification, Places]:
    """The scorer grown from the language model in `folder`, in 32-bit numbers."""
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    places = places_of(AutoTokenizer.from_pretrained(folder))
    narrow = model.config.hidden_size
    config = LlamaConfig(
        **model.config.to_dict()
        | {
            "architectures": None,
            "id2label": {0: "LABEL_0"},
            "label2id": {"LABEL_0": 0},
            "dtype": "float32",
            "hidden_size": WIDTH,
            "num_attention_heads": WIDTH // HEAD,
            "num_key_value_heads": WIDTH // HEAD,
            "num_hidden_layers": model.config.num_hidden_layers + LAYERS_ABOVE,
            "attention_bias": True,
            # The mean square is over more dimensions now.
            "rms_norm_eps": model.config.rms_norm_eps * narrow / WIDTH,
        }
    )
    scorer = LlamaForSequenceClassification(config)
    for parameter in scorer.parameters():
        parameter.zero_()
    _embed(scorer, model, places)
    reading = typical_size(model, folder)
    _wire_first(scorer, model, places, reading)
    _wire_second(scorer, places, reading)
    return scorer, places


def _embed(scorer: LlamaForSequenceClassification, model: LlamaForCausalLM, places: Places) -> None:
    """The language model's own layers, exactly, and the code of each token."""
    narrow = model.config.hidden_size
    rescale = (narrow / WIDTH) ** 0.5
    embedding = scorer.model.embed_tokens.weight
    embedding[:, :narrow] = model.model.embed_tokens.weight
    for place, token in enumerate((*places.written, places.question_end), start=places.code):
        embedding[token, place] = CODE
    for wide, layer in zip(scorer.model.layers, model.model.layers, strict=False):
        for norm in ("input_layernorm", "post_attention_layernorm"):
            getattr(wide, norm).weight[:narrow] = getattr(layer, norm).weight * rescale
        for name in ("q_proj", "k_proj", "v_proj"):
            getattr(wide.self_attn, name).weight[:narrow, :narrow] = getattr(layer.self_attn, name).weight
        wide.self_attn.o_proj.weight[:narrow, :narrow] = layer.self_attn.o_proj.weight
        wide.mlp.gate_proj.weight[:, :narrow] = layer.mlp.gate_proj.weight
        wide.mlp.up_proj.weight[:, :narrow] = layer.mlp.up_proj.weight
        wide.mlp.down_proj.weight[:narrow] = layer.mlp.down_proj.weight


@torch.no_grad()
def typical_size(model: LlamaForCausalLM, folder: Path) -> float:
    """Root mean square of the stream behind the language model's last layer, of one text's middle token."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "Ann has 3 pens. Ann buys 4 more. How many pens does Ann have?\n3+4=7\n#### 7"
    seen: list[torch.Tensor] = []
    hook = model.model.norm.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model.model(torch.tensor([tokenizer.encode(text)]))
    hook.remove()
    return float(seen[0].square().mean(-1).sqrt().median())


def _wire_first(
    scorer: LlamaForSequenceClassification, model: LlamaForCausalLM, places: Places, reading: float
) -> None:
    """Layer 5: what was expected of each token, and how it was disappointed."""
    layer, narrow, count = scorer.model.layers[-2], model.config.hidden_size, len(places.written)
    rescale = (narrow / WIDTH) ** 0.5
    norm, attention = layer.input_layernorm.weight, layer.self_attn
    norm[:narrow] = model.model.norm.weight * rescale
    norm[places.code : places.expected] = reading * rescale / CODE  # codes are about 1 behind it

    # Head 0 looks at the token before: the best match of all turns of its dimensions is one position back.
    turns = model.config.rope_parameters["rope_theta"] ** (-torch.arange(HEAD // 2) / (HEAD // 2))
    attention.q_proj.bias[:HEAD] = 40 * torch.cat([torch.cos(turns), -torch.sin(turns)])
    attention.k_proj.bias[: HEAD // 2] = 40.0
    attention.v_proj.weight[:count, :narrow] = model.lm_head.weight[list(places.written)]
    attention.v_proj.weight[count, places.code + count] = 1.0
    for place in range(count + 1):
        attention.o_proj.weight[places.expected + place, place] = 1.0
    # Head 1 looks at line breaks, where there are any.
    line_break = places.code + places.written.index(places.line_break)
    attention.q_proj.bias[HEAD + SLOWEST] = 20.0
    attention.k_proj.weight[HEAD + SLOWEST, line_break] = 20.0
    attention.v_proj.weight[HEAD, line_break] = 1.0
    attention.o_proj.weight[places.lines_ended, HEAD] = 1.0
    attention.o_proj.bias[places.anchor] = ANCHOR

    _norm_above(layer.post_attention_layernorm.weight, places, reading)
    gate, up, down = (getattr(layer.mlp, name).weight for name in ("gate_proj", "up_proj", "down_proj"))
    neuron = 0
    for a in range(count):
        for b in range(count):
            if a != b:  # silent unless a was written
                gate[neuron, places.expected + b], gate[neuron, places.expected + a] = 16.0, -16.0
                gate[neuron, places.code + a], gate[neuron, places.anchor] = 200.0, -201.0
                up[neuron, places.anchor], down[places.doubt, neuron] = 1.0, 0.5
                neuron += 1
    # A step from 0 to 1: the difference of two neurons, one of which opens later.
    for place, sign in ((places.lines_ended, 1.0), (places.behind_question, -1.0)):
        for opens, side in ((0.0, 1.0), (-16.0, -1.0)):
            gate[neuron, place], gate[neuron, places.anchor] = 80.0, opens
            up[neuron, places.anchor], down[places.inside, neuron] = 1.0, sign * side / 16
            neuron += 1


def _wire_second(scorer: LlamaForSequenceClassification, places: Places, reading: float) -> None:
    """Layer 6: the largest doubts of the solution so far. The head stays empty."""
    layer = scorer.model.layers[-1]
    attention = layer.self_attn
    _norm_above(layer.input_layernorm.weight, places, reading)
    _norm_above(layer.post_attention_layernorm.weight, places, reading)
    _norm_above(scorer.model.norm.weight, places, reading)
    for head in range(scorer.config.num_attention_heads):
        first = head * HEAD
        # The question is not looked at.
        attention.q_proj.bias[first + SLOWEST] = 30.0
        attention.k_proj.weight[first + SLOWEST, places.inside] = 100.0
        attention.k_proj.weight[first + SLOWEST, places.anchor] = -100.0
        if head < len(SHARPNESS):
            attention.k_proj.weight[first + SLOWEST, places.doubt] = 8 * SHARPNESS[head] * HEAD**0.5 / 30
            attention.v_proj.weight[first, places.doubt] = 1.0
            attention.o_proj.weight[places.worst + head, first] = 8.0  # undoes the norm's eighth


def _norm_above(norm: torch.Tensor, places: Places, reading: float) -> None:
    """Weights of a norm of the anchored stream, behind which everything is about 1."""
    size = ANCHOR / WIDTH**0.5
    norm.fill_(size)
    norm[: places.code] = size / reading
    norm[places.code : places.expected] = size / CODE
    norm[places.expected : places.behind_question] = size / 8
    norm[places.doubt] = size / 8
    norm[places.worst : places.worst + len(SHARPNESS)] = size / 8
    norm[places.anchor] = size / ANCHOR
