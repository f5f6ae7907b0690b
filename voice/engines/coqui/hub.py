"""Fetching a model of coqui's catalogue with coqui's own downloader, because the user asked."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from consent.errors import ModelError, VivavoceError
from consent.files import storage_error, write_atomic
from voice.engines.coqui.library import VOICES
from voice.models.card import ModelCard


def pull(card: ModelCard, folder: Path, *, agree_licence: bool) -> None:
    """Fetch model and vocoder into `folder`, its final place, and note speakers and languages.

    Raises
    ------
    ModelError
        No network, or the hub does not have the model.
    StorageError
        The disk is full.
    """
    name = card.sources[0].distribution
    try:
        with _terms_agreed(agree_licence), _quiet():
            record = _download(name, folder)
    except VivavoceError:
        raise
    except OSError as exc:
        if exc.errno is not None and exc.filename is not None:  # ours: disk, permissions
            raise storage_error(exc, folder) from exc
        raise _unreachable(card, exc) from exc
    except Exception as exc:  # requests, httpx, huggingface_hub, zipfile, coqui itself
        raise _unreachable(card, exc) from exc
    record |= {"speaks": name.startswith("tts_models/"), "speakers": [], "languages": []}
    if record["speaks"]:
        # Loading it once shows that it works, lets coqui rewrite old checkpoints before their
        # digests are noted, and tells the speakers.
        with contextlib.suppress(ModelError):  # for instance espeak-ng missing: said when used
            model = load(folder, record)
            record |= {"speakers": model.speakers, "languages": model.languages}
    write_atomic(folder / VOICES, json.dumps(record, indent=1).encode("utf-8"))


def load(folder: Path, record: dict[str, Any] | None = None) -> Any:
    """Load a pulled model.

    Returns
    -------
    voice.engines.coqui.model.CoquiModel

    Raises
    ------
    ModelError
        The folder is damaged, or the model cannot be loaded.
    """
    from voice.engines.coqui.model import CoquiModel

    try:
        if record is None:
            record = json.loads((folder / VOICES).read_bytes())
        checkpoint, config = (folder / str(path) for path in record["model"])
        vocoder = None
        if record["vocoder"] is not None:
            first, second = (folder / str(path) for path in record["vocoder"])
            vocoder = (first, second)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ModelError(
            f"{folder / VOICES} is damaged: {exc}", hint=f"Remove {folder} and pull again."
        ) from exc
    return CoquiModel(checkpoint, config, vocoder)


def _download(name: str, folder: Path) -> dict[str, Any]:
    from voice.engines.coqui.shim import import_torchaudio

    import_torchaudio()
    from TTS.utils.manage import ModelManager

    class HomeManager(ModelManager):  # type: ignore[misc]
        """coqui's manager, keeping models of the Hugging Face hub in the same folder."""

        def _download_hf_model(self, model_item: dict[str, Any]) -> Path:
            from huggingface_hub import snapshot_download

            target = self.output_prefix / model_item["repo_id"].replace("/", "--")
            return Path(
                snapshot_download(
                    model_item["repo_id"],
                    allow_patterns=model_item.get("allow"),
                    ignore_patterns=model_item.get("ignore"),
                    local_dir=target,
                )
            )

    manager = HomeManager(output_prefix=folder, progress_bar=True)
    checkpoint, config, item = manager.download_model(name)
    record: dict[str, Any] = {"model": _relative(folder, checkpoint, config), "vocoder": None}
    if item.get("default_vocoder"):
        checkpoint, config, _ = manager.download_model(item["default_vocoder"])
        record["vocoder"] = _relative(folder, checkpoint, config)
    return record


def _relative(folder: Path, checkpoint: Path, config: Path | None) -> list[str]:
    return [str(Path(path or checkpoint).relative_to(folder)) for path in (checkpoint, config)]


@contextlib.contextmanager
def _terms_agreed(agree: bool) -> Iterator[None]:
    """Tell coqui that its question about the licence was answered, instead of it asking."""
    before = os.environ.get("COQUI_TOS_AGREED")
    if agree:
        os.environ["COQUI_TOS_AGREED"] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("COQUI_TOS_AGREED", None)
        else:
            os.environ["COQUI_TOS_AGREED"] = before


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep coqui from printing the traceback of an error that is reported here."""
    logger = logging.getLogger("TTS.utils.manage")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


def _unreachable(card: ModelCard, exc: Exception) -> ModelError:
    root: BaseException = exc  # libraries wrap the cause, "Name or service not known", in layers
    while (inner := root.__cause__ or root.__context__) is not None:
        root = inner
    text = str(root).strip().splitlines()
    return ModelError(
        f"could not fetch {card.name} from its hub: {type(exc).__name__}"
        + (f": {text[0][:200]}" if text else ""),
        hint="Check the network connection; nothing was kept of the attempt.",
    )
