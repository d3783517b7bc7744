"""What tasks print: complete, in order, whoever listens, however much it is."""

from __future__ import annotations

import hashlib
import subprocess
import sys

from processes import Place, assert_nothing_left


def test_a_reader_that_goes_away_does_not_stop_the_run(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            for number in range(2000):
                print("line", number)
            self.next(self.end)

        @step
        def end(self):
            self.reached = True
        """
    )
    process = place.start("flow.py", "run")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()  # as `head -1` does
    assert process.wait(60) == 0
    assert place.statuses() == {"F/1": "ok"}
    assert place.values("end") == {"reached": True}
    lines = place.output("stdout", place.task("start")).splitlines()
    assert lines == [b"line %d" % number for number in range(2000)]


def test_a_run_without_any_output_is_recorded_as_well(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            print("heard by nobody")
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    command = f'exec "{sys.executable}" flow.py run >&- 2>&- <&-'
    subprocess.run(["sh", "-c", command], cwd=place.folder, env=place.environment(), timeout=60)
    assert place.statuses() == {"F/1": "ok"}
    assert place.output("stdout", place.task("start")) == b"heard by nobody\n"


def test_two_hundred_thousand_lines_are_complete_and_in_order(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            for number in range(200_000):
                sys.stdout.write(f"{number} {'x' * (number % 50)}\\n")
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    done = place.run()
    expected = "".join(f"{number} {'x' * (number % 50)}\n" for number in range(200_000)).encode()
    task = place.task("start")
    assert task.stdout.lines == 200_000
    kept = place.output("stdout", task)
    assert hashlib.sha256(kept).digest() == hashlib.sha256(expected).digest()
    shown = [line.split("] ", 1)[1] for line in done.out.splitlines() if "[1/start/1 (pid" in line]
    assert shown[1:-1] == expected.decode().splitlines()


def test_the_streams_stay_apart_and_odd_bytes_stay_as_they_are(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            print("to out")
            print("to err", file=sys.stderr)
            sys.stdout.flush()
            os.write(1, b"\\xff\\xfe\\x00 \\x1b[31mred\\x1b[0m\\r 10%\\r100%\\n")
            os.system("echo from a child")
            os.write(1, b"no newline at the end")
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    done = place.run()
    task = place.task("start")
    assert place.output("stderr", task) == b"to err\n"
    assert place.output("stdout", task) == (
        b"to out\n\xff\xfe\x00 \x1b[31mred\x1b[0m\r 10%\r100%\nfrom a child\nno newline at the end"
    )
    assert "\x1b" not in done.out  # a task's output never steers the terminal
    assert "no newline at the end" in done.out


def test_what_native_code_printed_is_there_too(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            import ctypes
            ctypes.CDLL(None).printf(b"from C\\n")
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run()
    assert place.output("stdout", place.task("start")) == b"from C\n"


def test_a_step_that_closes_its_streams_is_recorded_all_the_same(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.kept = 1
            self.dropped = lambda: 0
            sys.stdout.close()
            sys.stderr = None
            self.next(self.end)

        @step
        def end(self):
            sys.stderr.close()
            raise ValueError("said to nobody")
        """
    )
    place.run(code=1)
    assert place.values("start") == {"kept": 1}
    failure = place.task("end").failure
    assert failure is not None
    assert failure.message == "said to nobody"


def test_what_a_task_leaves_printing_in_the_background_does_not_hold_the_run_up(
    place: Place,
) -> None:
    place.write(
        """
        @step
        def start(self):
            import subprocess
            subprocess.Popen(["yes", "still here"])
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    process = place.start("flow.py", "run", stdout=subprocess.DEVNULL)
    assert process.wait(60) == 0
    assert place.statuses() == {"F/1": "ok"}
    assert_nothing_left(process)  # its pipe is closed, so `yes` ends by itself


def test_a_flood_is_kept_whole_in_bounded_memory(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            line = bytes(range(32, 127)) * 1000 + b"\\n"
            for _ in range(3000):  # 285 MB
                os.write(1, line)
            self.next(self.end)

        @step
        def end(self):
            server = open(f"/proc/{os.getppid()}/status").read()
            scheduler = server.split("PPid:")[1].split()[0]  # by now it has stored all of it
            status = open(f"/proc/{scheduler}/status").read()
            self.most = int(status.split("VmHWM:")[1].split()[0]) * 1024
        """
    )
    process = place.start("flow.py", "run", stdout=subprocess.DEVNULL)
    assert process.wait(60) == 0
    assert place.values("end")["most"] < 100e6  # bytes
    assert place.task("start").stdout.lines == 3000
    kept = place.output("stdout", place.task("start"))
    assert kept == (bytes(range(32, 127)) * 1000 + b"\n") * 3000


def test_a_task_that_floods_without_end_does_not_hold_up_the_others(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.next(self.flood, self.quick)

        @step
        def flood(self):
            while not os.path.exists("done"):
                os.write(1, b"flood\\n" * 1000)
            self.next(self.join)

        @step
        def quick(self):
            for number in range(100):
                print("quick", number)
            self.next(self.after)

        @step
        def after(self):
            open("done", "w").close()
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    process = place.start("flow.py", "run", stdout=subprocess.DEVNULL)
    assert process.wait(60) == 0
    assert place.output("stdout", place.task("quick")).count(b"\n") == 100
    kept = place.output("stdout", place.task("flood"))
    assert kept == b"flood\n" * (len(kept) // 6)


def test_of_each_stream_as_much_is_kept_as_asked_for_and_the_rest_is_counted(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            for number in range(30_000):
                print(f"{number:99d}")
            print("short", file=sys.stderr)
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    out = place.run("--max-log-size", "1").out
    task = place.task("start")
    said = b"[%d bytes more were printed and are not kept: --max-log-size]\n"
    whole = b"".join(b"%99d\n" % number for number in range(30_000))
    first, dropped = whole[: 1 << 20], len(whole) - (1 << 20)
    assert place.output("stdout", task) == first + b"\n" + said % dropped
    assert place.output("stderr", task) == b"short\n"
    assert f"{29_999:99d}\n" in out  # seen all the same
    assert (said % dropped).decode() in out
