"""The page as it goes into the wheel: the same modules, without what only their readers need.

Comments, white space and long local names are half of the page. No module is joined with another,
none is translated for older browsers, and exports, properties and texts keep their names. Whoever
has the sources can build the same bytes again.
"""

import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parents[1]
_MACHINES = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}
# Names of classes and functions stay what they are to whoever asks for them.
_OPTIONS = "--minify", "--keep-names", "--format=esm", "--target=es2022", "--charset=utf8"


def smaller_page() -> dict[str, bytes]:
    """Return what is in each file of the page by its name; all but scripts and styles as it is."""
    source = ROOT / "static"
    paths = sorted(path for path in source.rglob("*") if path.is_file())
    page = {path.relative_to(source).as_posix(): path.read_bytes() for path in paths}
    names = [name for name in page if name.endswith((".js", ".css"))]
    with tempfile.TemporaryDirectory() as folder:
        command = [_esbuild(), *_OPTIONS, "--log-level=error", "--outbase=.", f"--outdir={folder}"]
        subprocess.run([*command, *names], cwd=source, check=True)
        return page | {name: Path(folder, name).read_bytes() for name in names}


def _esbuild() -> Path:
    build = f"{sys.platform}-{_MACHINES.get(platform.machine(), 'unknown')}"
    path = ROOT / "scripts/page/node_modules/@esbuild" / build / "bin/esbuild"
    if not path.exists():
        raise RuntimeError("the page is built by esbuild; first: (cd scripts/page && npm ci)")
    return path


class PageHook(BuildHookInterface):
    """Put the smaller page where `relay.page` looks for it."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Write it to a folder of its own for as long as the wheel is being made."""
        self._folder = Path(tempfile.mkdtemp(prefix="beacon-page-"))
        for name, data in smaller_page().items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            build_data["force_include"][str(path)] = f"relay/static/{name}"

    def finalize(self, version: str, build_data: dict, artifact_path: str) -> None:
        """Take it away again."""
        shutil.rmtree(self._folder)
