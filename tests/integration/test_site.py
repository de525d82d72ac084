"""The documentation site builds, offline, without a warning, and fetches nothing from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_FETCHED = re.compile(r"""<(?:script|link|img|iframe)[^>]*?(?:src|href)=["']?(https?://[^"'\s>]+)""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    stamp = Path(sys.prefix) / ".stamp-dev"
    command = ["make", "--no-print-directory", "-o", str(stamp), "docs", f"VENV={sys.prefix}", f"SITE={folder}"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def test_every_document_is_a_page(site: Path) -> None:
    documents = [path.relative_to(_ROOT) for path in (_ROOT / "docs").rglob("*.md")]
    pages = [path.with_name("index.html" if path.name == "README.md" else f"{path.stem}.html") for path in documents]
    assert [str(page) for page in pages if not (site / page).is_file()] == []


def test_every_document_is_in_the_navigation() -> None:
    named = (_ROOT / "zensical.toml").read_text()
    documents = [str(path.relative_to(_ROOT)) for path in (_ROOT / "docs").rglob("*.md")]
    assert [name for name in documents if f'"{name}"' not in named] == []


def test_a_page_fetches_nothing_from_elsewhere(site: Path) -> None:
    found = {(page.name, url) for page in site.rglob("*.html") for url in _FETCHED.findall(page.read_text())}
    assert {each for each in found if "canonical" not in each[1]} == set()
