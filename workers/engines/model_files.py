"""Where a model lies and which one it is: a folder's weights are told apart by their hash."""

import hashlib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workers.errors import ModelNotFound

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_CONFIGURATION = ("config.json", "generation_config.json", "quantize_config.json", "quant_config.json")
#: In the order in which engines prefer them; only the first kind that is there is loaded, so only that is hashed.
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.gguf")
_NOT_WEIGHTS = frozenset({"training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "rng_state.pt"})


def locate(model: str) -> str:
    """Give the model folder, or a hub name unchanged.

    Raises ModelNotFound when it is neither: a folder without config.json, or nothing that a hub could know.
    """
    folder = Path(model).expanduser()
    if (folder / "config.json").is_file():
        return str(folder.resolve())
    if not folder.exists() and _HUB_NAME.fullmatch(model):
        return model
    found = "a folder without config.json" if folder.is_dir() else "no such folder"
    raise ModelNotFound(
        f"model {model!r}: {found}; it must be a folder with config.json, weights and tokenizer, "
        "or a hub name (owner/name) that this machine can reach"
    )


def ask_hub(name: str) -> None:
    """Raise ModelNotFound at once when a hub name is neither cached here nor known to a hub that can be reached.

    vLLM would find out too, after two minutes of trying again.
    """
    import huggingface_hub
    from huggingface_hub.errors import RepositoryNotFoundError

    if isinstance(huggingface_hub.try_to_load_from_cache(name, "config.json"), str):
        return
    try:
        huggingface_hub.HfApi().model_info(name, timeout=20.0)
    except RepositoryNotFoundError:
        told = "the hub does not know it, or wants a token for it (HF_TOKEN)"
    except Exception as error:  # of whichever HTTP library the hub's client uses
        told = f"the hub cannot be reached from this machine ({type(error).__name__})"
    else:
        return
    raise ModelNotFound(f"model {name!r}: {told}; give a folder with config.json, weights and tokenizer, or a hub name")


def weight_files(folder: Path) -> list[Path]:
    """List the weight files that an engine would load from this folder, by name."""
    for pattern in _WEIGHTS:
        found = sorted(path for path in folder.glob(pattern) if path.name not in _NOT_WEIGHTS)
        if found:
            return found
    return []


def weight_bytes(model: str) -> int:
    """Bytes of the weights of a model folder; 0 for a hub name."""
    folder = Path(model)
    return sum(path.stat().st_size for path in weight_files(folder)) if folder.is_dir() else 0


def quantised(model: str) -> bool:
    """Whether a model folder's weights are packed, which fixes what they are multiplied by; False for a hub name."""
    folder = Path(model)
    if not folder.is_dir():
        return False
    told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    files = ("quantize_config.json", "quant_config.json")
    packed = any(path.suffix == ".gguf" for path in weight_files(folder))
    return "quantization_config" in told or packed or any((folder / name).is_file() for name in files)


def revision(folder: Path) -> str:
    """Hash weights and configuration: sha256 over the lines "sha256 name" of the files, sorted by name."""
    files = [folder / name for name in _CONFIGURATION if (folder / name).is_file()] + weight_files(folder)
    with ThreadPoolExecutor(max_workers=4) as pool:
        digests = list(pool.map(file_digest, files))
    lines = sorted(f"{digest}  {path.name}\n" for digest, path in zip(digests, files, strict=True))
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 over a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tokenizer_hash(tokenizer: object) -> str:
    """Hash what a loaded tokenizer does: its vocabulary, merges, special tokens and chat template."""
    return "sha256:" + hashlib.sha256("\n".join(_tokenizer_parts(tokenizer)).encode("utf-8", "replace")).hexdigest()


def chat_template_hash(tokenizer: object) -> str | None:
    """Hash the chat template of a tokenizer; None where it has none."""
    template = getattr(tokenizer, "chat_template", None)
    if not template:
        return None
    text = template if isinstance(template, str) else json.dumps(template, sort_keys=True, default=str)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _tokenizer_parts(tokenizer: object) -> Iterator[str]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        rules = json.loads(backend.to_str())
        # Truncation and padding are how one call was made, not what the tokenizer is.
        yield json.dumps({**rules, "truncation": None, "padding": None}, sort_keys=True)
    else:
        yield json.dumps(sorted(tokenizer.get_vocab().items()))  # type: ignore[attr-defined]
    yield json.dumps(getattr(tokenizer, "special_tokens_map", None), sort_keys=True, default=str)
    yield json.dumps(getattr(tokenizer, "chat_template", None), sort_keys=True, default=str)
