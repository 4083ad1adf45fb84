"""TLS files that cannot be used: which one, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from everup.errors import ConfigError
from everup.serve import make_tls
from everup.shapes.snapshot import ServerSettings


def files(folder: Path) -> tuple[str, str]:
    """Return the paths of a certificate chain and its key."""
    made = trustme.CA().issue_cert("localhost")
    chain, key = folder / "chain.pem", folder / "key.pem"
    made.cert_chain_pems[0].write_to_path(chain)
    made.private_key_pem.write_to_path(key)
    return str(chain), str(key)


def complaint(chain: str, key: str) -> str:
    """Return what a person is told about these files."""
    with pytest.raises(ConfigError) as caught:
        make_tls(ServerSettings(tls_cert=chain, tls_key=key))
    return caught.value.problems[0]


def test_a_missing_file_is_the_one_named(tmp_path: Path) -> None:
    """Of two files only the one that is not there is named."""
    chain, _ = files(tmp_path)
    told = complaint(chain, str(tmp_path / "gone.pem"))
    assert "gone.pem" in told
    assert "chain.pem" not in told


def test_swapped_files_are_told_as_that(tmp_path: Path) -> None:
    """A key where the chain belongs is said in words, not in OpenSSL's."""
    chain, key = files(tmp_path)
    told = complaint(key, chain)
    assert "swapped" in told
    assert "_ssl.c" not in told


def test_a_good_pair_is_used(tmp_path: Path) -> None:
    """A chain and its key give a context; no files give none."""
    chain, key = files(tmp_path)
    assert make_tls(ServerSettings(tls_cert=chain, tls_key=key)) is not None
    assert make_tls(ServerSettings()) is None
