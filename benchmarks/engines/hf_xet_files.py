"""Stores a file by hf_xet in a folder of this machine; see clock.py for the command line."""

from __future__ import annotations

import hf_xet
from clock import Job, job, measured
from equal import same_files


def main(work: Job) -> None:
    endpoint = f"local://{work.place / 'store'}"
    name = work.place / f"v{work.number:02d}.name"
    out = work.place / "out"
    if work.action == "store":
        with measured(work.report):
            session = hf_xet.XetSession()
            with session.new_upload_commit(endpoint=endpoint) as commit:
                upload = commit.start_upload_file(str(work.source), sha256=hf_xet.SKIP_SHA256)
            found = upload.result().xet_info
        name.write_text(f"{found.hash} {found.file_size}", encoding="ascii")
        return
    out.unlink(missing_ok=True)
    hash_, size = name.read_text("ascii").split()
    with measured(work.report):
        session = hf_xet.XetSession()
        with session.new_file_download_group(endpoint=endpoint) as group:
            group.start_download_file(hf_xet.XetFileInfo(hash_, int(size)), str(out))
    if not same_files(out, work.source):
        raise SystemExit("what came back is not what was stored")


if __name__ == "__main__":
    main(job())
