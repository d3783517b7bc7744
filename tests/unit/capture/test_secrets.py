from __future__ import annotations

import pytest

from mfv.capture.secrets import is_secret_name, is_secret_path, strip_credentials


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "app/.env",
        ".env.local",
        ".env.example.local",
        "prod.env",
        ".ENV",
        "server.pem",
        "tls/server.key",
        "id_rsa",
        "keys/id_ed25519",
        "id_ecdsa",
        "id_dsa",
        "id_rsa.bak",
        "id_ed25519_work",
        ".netrc",
        ".pypirc",
        ".npmrc",
        ".git-credentials",
        "credentials.json",
        "my-service-account-1.json",
        "gcp_service_account.json",
        "client_secret_42.json",
        ".aws/credentials",
        "home/.docker/config.json",
        "store.p12",
        "store.pfx",
        "release.keystore",
        ".htpasswd",
        ".ssh/config",
        "home/.ssh/deep/known",
        ".streamlit/secrets.toml",
    ],
)
def test_a_file_that_usually_holds_keys_or_passwords_is_secret(path: str) -> None:
    assert is_secret_path(path)


@pytest.mark.parametrize(
    "path",
    [
        ".env.example",
        ".env.sample",
        ".env.template",
        "example.env",
        "env.py",
        "id_rsa.pub",
        "id_rsa_reader.py",
        "id_rsamples.csv",
        "credentials.py",
        "credentials",
        "secrets.py",
        "config.json",
        "tokenizer.json",
        "key.py",
        "keys.csv",
        "environment.yml",
        "account.json",
    ],
)
def test_an_ordinary_file_is_not_secret(path: str) -> None:
    assert not is_secret_path(path)


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "apiKey",
        "APIKEY",
        "OPENAI_API_KEY",
        "--openai-api-key",
        "token",
        "HF_TOKEN",
        "hf_token_2",
        "access_tokens",
        "authToken",
        "password",
        "passwd",
        "db_pass",
        "dbPassword",
        "PASSWORD2",
        "secret",
        "client_secret",
        "aws_secret_access_key",
        "credential",
        "google_credentials",
        "private_key",
    ],
)
def test_a_name_with_a_secret_word_is_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "7",
        "tokenizer",
        "max_tokens",
        "n_tokens",
        "eos_token",
        "padToken",
        "token_dim",
        "keyword",
        "key",
        "sort_key",
        "primary_key",
        "monkey",
        "forward_pass",
        "n_pass",
        "compass",
        "secretary",
    ],
)
def test_a_name_that_only_resembles_one_is_not_secret(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://ana:pw@example.org/a.git", "https://example.org/a.git"),
        ("https://ghp_abc@example.org/a.git", "https://example.org/a.git"),
        ("https://ana:p%40w@example.org:8443/a", "https://example.org:8443/a"),
        ("https://ana:p@w@example.org/a", "https://example.org/a"),
        ("https://ana:p/w@example.org/a", "https://example.org/a"),
        ("https://ana:p#w@example.org", "https://example.org"),
        ("https://ana:p?w@example.org/a", "https://example.org/a"),
        ("ssh://git:pw@example.org/a.git", "ssh://git@example.org/a.git"),
        ("git+ssh://git:pw@example.org/a", "git+ssh://git@example.org/a"),
        ("ssh://:pw@example.org/a", "ssh://example.org/a"),
        ("postgres://ana:pw@db/x", "postgres://db/x"),
        (
            "https://b.example.org/k?versionId=3&X-Amz-Signature=ab&X-Amz-Credential=c",
            "https://b.example.org/k?versionId=3",
        ),
        ("https://b.example.org/k?sig=ab", "https://b.example.org/k"),
        ("https://b.example.org/k?a=1;api%5Fkey=x&b=2", "https://b.example.org/k?a=1&b=2"),
        ("https://b.example.org/#access_token=x&p=1", "https://b.example.org/#p=1"),
    ],
)
def test_credentials_are_stripped_from_a_url_and_the_rest_stays(url: str, stripped: str) -> None:
    assert strip_credentials(url) == stripped


@pytest.mark.parametrize(
    "url",
    [
        "",
        "git@example.org:team/a.git",
        "ssh://git@example.org/a.git",
        "ssh://git@example.org:2222/a.git",
        "https://example.org/a.git",
        "https://example.org/@ana/a",
        "https://example.org:8443/@ana/a",
        "https://[::1]:80/@ana",
        "https://example.org:x/a",
        "https://example.org/a?page=2;max_tokens=5#top",
        "/srv/git/a.git",
        "../a",
        "file:///srv/git/a.git",
    ],
)
def test_a_url_without_credentials_stays_as_it_is(url: str) -> None:
    assert strip_credentials(url) == url
