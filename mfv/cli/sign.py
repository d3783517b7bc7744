"""`mfv sign`"""

from typing import Annotated

from mfv import keys
from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, UsageError
from mfv.history.history import History
from mfv.render.text import escape
from mfv.repo import signing
from mfv.repo.revision import resolve


def command(
    runs: Annotated[
        list[str], argument("Runs, or tags: of a tag that it stands on that run.", "[RUN|TAG]...")
    ] = (),  # type: ignore[assignment]
    key: Annotated[
        str | None, option("--key", help="The file with the key to sign with.", metavar="FILE")
    ] = None,
    new_key: Annotated[
        str | None,
        option("--new-key", help="Make a key, and print its public part.", metavar="FILE"),
    ] = None,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Sign runs, or tags on runs, with a key of yours.

    The key is one of Ed25519 in a file of OpenSSH's, without a passphrase: --key, else
    MFV_SIGN_KEY, else `sign.key` in your settings. With one of the latter two every run is signed
    when it ends. `mfv verify --signatures` checks what is signed against the keys that you know.

    Examples: mfv sign --new-key ~/.ssh/mfv · mfv sign 42 · mfv sign prod
    """
    if (new_key is not None) == bool(runs) or (new_key is not None and key is not None):
        raise UsageError("sign what?", hint="mfv sign RUN… or mfv sign --new-key FILE")
    if new_key is not None:
        public = keys.make_key(new_key)
        text = keys.public_text(public)
        if json:
            from mfv.render.json import document

            print(document({"file": new_key, "public": text, "key": keys.fingerprint(public)}))
        else:
            print(text)
        return EXIT_OK
    signer = signing.own_signer() if key is None else keys.load_signer(key)
    if signer is None:
        raise UsageError(
            "there is no key to sign with",
            hint="`mfv sign --new-key FILE` makes one; --key, MFV_SIGN_KEY or `sign.key` names it",
        )
    repo = repository()
    names, told = History(repo).names, []
    for text in runs:
        run = resolve(names, text)
        tag = text if text in run.tags else ""
        new = signing.sign(repo, run, signer, tag)
        told.append({"run": run.name, "tag": tag or None, "new": new})
        if not json:
            target = f"{tag} on {run.name}" if tag else run.name
            print(escape(f"{'signed' if new else 'signed already'}: {target}"))
    if json:
        from mfv.render.json import document

        print(document({"key": keys.fingerprint(signer.public), "signed": told}))
    return EXIT_OK
