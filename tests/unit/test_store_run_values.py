"""What a run may be: values that cannot be are refused before anything is stored."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.model_registry import ModelUnknown, parse_model
from store.prompting import rendered
from store.row_writing import storable_completion
from store.runs import BadRun, Sampling, check_template, sampling_values
from store.settings import StoreSettings


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"temperature": -1.0}, "temperature of -1.0 cannot be"),
        ({"temperature": float("nan")}, "temperature of nan"),
        ({"temperature": float("inf")}, "temperature of inf"),
        ({"top_p": 0.0}, "top-p of 0.0"),
        ({"top_p": 1.01}, "top-p of 1.01"),
        ({"top_p": float("nan")}, "top-p of nan"),
        ({"top_k": -1}, "top-k of -1"),
        ({"max_tokens": 0}, "--max-tokens 1 or more"),
        ({"stop": ("\n", "")}, "empty stop text"),
    ],
)
def test_sampling_that_cannot_be(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadRun, match=complaint):
        Sampling(**values)


def test_sampling_at_its_bounds() -> None:
    greedy = Sampling(temperature=0.0, top_p=1.0, top_k=0, max_tokens=1, stop=("\n\n",), seed=-5)
    assert sampling_values(greedy) == {
        "temperature": 0.0,
        "top_p": 1.0,
        "top_k": 0,
        "max_tokens": 1,
        "stop": ["\n\n"],
        "seed": -5,
    }


@pytest.mark.parametrize("template", ["", "prompt", "{}", "{ prompt }", "{prompt"])
def test_a_template_needs_the_prompt(template: str) -> None:
    with pytest.raises(BadRun, match=r"no \{prompt\}"):
        check_template(template)


def test_braces_elsewhere_are_text() -> None:
    assert rendered("{a} {prompt} {{x}}", "def f(): {prompt}") == "{a} def f(): {prompt} {{x}}"


@given(st.text(st.characters(exclude_categories=()) | st.sampled_from("\0\ud800\udfff")))
def test_completions_become_storable_and_stay_otherwise(text: str) -> None:
    stored = storable_completion(text)
    assert "\0" not in stored
    stored.encode("utf-8")
    assert len(stored) == len(text)
    assert all(new == old or old == "\0" or 0xD800 <= ord(old) < 0xE000 for new, old in zip(stored, text, strict=True))
    assert all(new == "\ufffd" for new, old in zip(stored, text, strict=True) if new != old)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("org/model", ("org/model", "org/model")),
        ("tiny=org/model", ("tiny", "org/model")),
        ("gpt", ("gpt", "gpt")),
    ],
)
def test_models_by_name(text: str, expected: tuple[str, str]) -> None:
    assert parse_model(text) == expected


@pytest.mark.parametrize("text", ["", "=x", "x=", "/nowhere/model", "./nowhere", "~/nowhere", "a/b/c", "tiny=/nowhere"])
def test_models_that_cannot_be(text: str) -> None:
    with pytest.raises(ModelUnknown):
        parse_model(text)


def test_a_model_folder_becomes_absolute(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    assert parse_model("tiny/") == ("tiny", str(tmp_path / "tiny"))
    assert parse_model("t=./tiny") == ("t", str(tmp_path / "tiny"))


def test_settings_of_the_store(tmp_path: Any) -> None:
    here = StoreSettings.from_environment({"PASSATK_HOME": str(tmp_path), "PASSATK_DATABASE_URL": ""})
    assert (here.home, here.database_url, here.mirror) == (tmp_path, None, tmp_path / "mirror")
    there = StoreSettings.from_environment({"PASSATK_DATABASE_URL": "postgresql://x/y", "PASSATK_MIRROR": "/m"})
    assert (there.database_url, str(there.mirror)) == ("postgresql://x/y", "/m")
