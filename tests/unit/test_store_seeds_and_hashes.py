"""Seeds and hashes: the same everywhere, disjoint where they must be, within a signed 64-bit integer."""

from __future__ import annotations

import hashlib
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from store.fingerprint import base_seed, combined, fingerprint, text_hash
from store.samples import sample_seeds

ROOM = 2**20


@given(st.text(), st.text(max_size=50), st.integers())
def test_seeds_leave_room_and_fit_64_bits(run: str, key: str, seed: int) -> None:
    base = base_seed(run.encode("utf-8", "replace").decode(), key.encode("utf-8", "replace").decode(), seed)
    seeds = sample_seeds(base, range(ROOM - 3, ROOM))
    assert 0 <= base <= seeds[0] < seeds[-1] < 2**63
    assert base % ROOM == 0
    assert seeds == (base + ROOM - 3, base + ROOM - 2, base + ROOM - 1)


def test_problems_runs_and_seeds_have_ranges_of_their_own() -> None:
    bases = [
        base_seed(run, f"problem/{n}", seed) for run in ("run-a", "run-b") for seed in (0, 1) for n in range(5_000)
    ]
    # Bases are multiples of the room: different bases are disjoint ranges.
    assert len(set(bases)) == len(bases)
    # And they use all the bits there are: no clustering in the lower half.
    assert 0.45 < sum(base < 2**62 for base in bases) / len(bases) < 0.55


def test_a_range_does_not_depend_on_how_it_is_cut() -> None:
    base = base_seed("run", "problem", 0)
    assert sample_seeds(base, range(10)) == sample_seeds(base, range(4)) + sample_seeds(base, range(4, 10))


def test_seeds_are_the_same_in_another_process() -> None:
    code = "from store.fingerprint import base_seed, text_hash; print(base_seed('r', 'p', 3), text_hash('é'))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.split() == [str(base_seed("r", "p", 3)), str(text_hash("é"))]


def test_fingerprints_tell_values_apart_and_forget_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    different = [
        ("a", "b"),
        ("ab",),
        ("a,b",),
        (["a", "b"],),
        ("a", None),
        ("a", "None"),
        (1,),
        ("1",),
        (1.0,),
        (True,),
    ]
    assert len({fingerprint(*parts) for parts in different}) == len(different)


def test_combined_knows_order_and_bounds() -> None:
    one, two = fingerprint("one"), fingerprint("two")
    assert combined([one, two]) != combined([two, one])
    assert combined([one, two]) != combined([one])


@given(st.text(st.characters(exclude_categories=())))
def test_a_text_hash_is_blake2b_of_the_text_whatever_it_holds(text: str) -> None:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    assert text_hash(text) == int.from_bytes(digest, "big", signed=True)


def test_text_hashes_are_signed_64_bit_and_differ() -> None:
    hashes = {text_hash(f"completion {n}") for n in range(10_000)} | {text_hash("\ud800"), text_hash("")}
    assert len(hashes) == 10_002
    assert all(-(2**63) <= value < 2**63 for value in hashes)
