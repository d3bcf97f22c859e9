"""Opening by URL, as an application does."""

from pathlib import Path
from urllib.parse import quote

import pytest
from clawdesk_storage import AppConfig, open_storage


@pytest.mark.parametrize("name", ["data", "a b", "50%", "what?", "#1"])
async def test_a_url_and_its_directory_are_the_same_data(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative and absolute, with what must be escaped."""
    monkeypatch.chdir(tmp_path)
    saved = AppConfig.model_validate({"name": name})
    async with open_storage(f"sqlite:{quote(name)}") as storage:
        await storage.config.save_config(saved)
    assert (tmp_path / name).is_dir()
    async with open_storage(f"sqlite://{quote(str(tmp_path / name))}") as storage:
        assert saved == await storage.config.get_config()


def test_an_option_is_refused_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is none, and what would be ignored was meant to do something."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="a sqlite: URL has no options"):
        open_storage("sqlite:data?mode=fast")
    assert list(tmp_path.iterdir()) == []
