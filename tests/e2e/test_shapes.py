"""Flows of every shape, run for real: what each task gets, and what it leaves."""

from __future__ import annotations

from processes import Place


def test_a_linear_flow_hands_its_attributes_on(place: Place) -> None:
    place.write(
        """
        LIMIT = 3
        rate = Parameter("rate", default=0.5)

        @step
        def start(self):
            self.numbers = [1, 2]
            self.untouched = {"a": (1, 2)}
            self._private = "kept as well"
            self.next(self.middle)

        @step
        def middle(self):
            self.numbers.append(self.LIMIT)
            self.scaled = [self.rate * number for number in self.numbers]
            self.next(self.end)

        @step
        def end(self):
            self.seen = (self.numbers, self.untouched["a"], self._private)
        """
    )
    place.run("--rate", "2")
    assert place.values("start") == {
        "_private": "kept as well",
        "numbers": [1, 2],
        "untouched": {"a": (1, 2)},
    }
    middle = place.values("middle")
    assert middle["numbers"] == [1, 2, 3]
    assert middle["scaled"] == [2.0, 4.0, 6.0]
    # What `middle` never looked at is the very same record.
    assert set(place.task("middle").inherited) == {"_private", "untouched"}
    assert place.values("end")["seen"] == ([1, 2, 3], (1, 2), "kept as well")
    view = place.view()
    assert {name: a.value for name, a in view.parameters.items()} == {"rate": 2.0}
    assert {name: a.value for name, a in view.constants.items()} == {"LIMIT": 3}


def test_a_branch_joins_by_name_by_place_and_by_merge(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.common = "same"
            self.clash = "before"
            self.next(self.b, self.a)

        @step
        def a(self):
            self.from_a = 1
            self.clash = "a"
            self.next(self.join)

        @step
        def b(self):
            self.from_b = 2
            self.clash = "b"
            self.next(self.join)

        @step
        def join(self, inputs):
            self.named = (inputs.a.clash, inputs.b.clash)
            self.ordered = [one.clash for one in inputs]
            self.first = inputs[0].clash
            self.sees_nothing = hasattr(self, "common")
            self.clash = "settled"
            self.merge_artifacts(inputs, exclude=["from_b"])
            self.next(self.end)

        @step
        def end(self):
            self.last = (self.common, self.from_a, self.clash, hasattr(self, "from_b"))
        """
    )
    place.run()
    join = place.values("join")
    assert join["named"] == ("a", "b")
    assert join["ordered"] == ["b", "a"]  # as self.next names them
    assert join["first"] == "b"
    assert join["sees_nothing"] is False
    assert place.values("end")["last"] == ("same", 1, "settled", False)


def test_nested_foreach_keeps_its_stack_and_joins_in_split_order(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.letters = ["x", "y", "z"]
            self.next(self.outer, foreach="letters")

        @step
        def outer(self):
            self.letter = self.input
            self.numbers = range(self.index + 1)
            time.sleep(0.02 * (2 - self.index))  # the last ends first
            self.next(self.inner, foreach="numbers")

        @step
        def inner(self):
            self.at = (self.letter, self.input, self.index, self.foreach_stack())
            self.next(self.gather)

        @step
        def gather(self, inputs):
            self.word = [one.at for one in inputs]
            self.stack = self.foreach_stack()
            self.next(self.collect)

        @step
        def collect(self, inputs):
            self.all = [one.word for one in inputs]
            self.no_more = (self.input, self.index, self.foreach_stack())
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run()
    collect = place.values("collect")
    assert [[at[:3] for at in word] for word in collect["all"]] == [
        [(letter, number, number) for number in range(place_ + 1)]
        for place_, letter in enumerate("xyz")
    ]
    assert collect["all"][2][1][3] == [(2, 3, "z"), (1, 3, 1)]
    assert collect["no_more"] == (None, None, [])
    assert sorted(place.values("gather", i)["stack"] for i in range(3)) == [
        [(index, 3, letter)] for index, letter in enumerate("xyz")
    ]
    tasks = [task for step in place.view().steps().values() for task in step]
    assert sorted(ref.id for ref in tasks) == list(range(1, len(tasks) + 1))


def test_a_branch_in_a_foreach_in_a_branch(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.base = 100
            self.next(self.fan, self.plain)

        @step
        def plain(self):
            self.value = self.base
            self.next(self.join)

        @step
        def fan(self):
            self.items = {"p": 1, "q": 2}
            self.next(self.split, foreach="items")

        @step
        def split(self):
            self.name = self.input  # a flow has a name too, and gives way
            self.next(self.up, self.down)

        @step
        def up(self):
            self.value = self.name.upper()
            self.next(self.meet)

        @step
        def down(self):
            self.value = self.name * 2
            self.next(self.meet)

        @step
        def meet(self, inputs):
            self.pair = (inputs.up.value, inputs.down.value)
            self.next(self.gather)

        @step
        def gather(self, inputs):
            self.pairs = [one.pair for one in inputs]
            self.next(self.join)

        @step
        def join(self, inputs):
            self.result = (self.name, inputs.gather.pairs, inputs.plain.value)
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run()
    pairs = [("P", "pp"), ("Q", "qq")]  # the keys of a dict, as its iteration gives them
    assert place.values("join")["result"] == ("F", pairs, 100)
    splits = [split for task in place.view().tasks("up") for split in task.splits]
    assert sorted((s.step, s.variable, s.index, s.total, s.value) for s in splits) == [
        ("fan", "items", 0, 2, "'p'"),
        ("fan", "items", 1, 2, "'q'"),
    ]


def test_a_flow_of_one_step_runs(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.alone = True
        """
    )
    place.run()
    assert place.values("start") == {"alone": True}


def test_a_foreach_may_go_over_a_parameter_and_over_an_array(place: Place) -> None:
    place.write(
        """
        names = Parameter("names", type=JSONType, default='["a", "b"]')

        @step
        def start(self):
            self.next(self.each, foreach="names")

        @step
        def each(self):
            self.got = self.input
            self.next(self.back)

        @step
        def back(self, inputs):
            import numpy
            self.firsts = tuple(one.got for one in inputs)
            self.rows = numpy.arange(6).reshape(3, 2)
            self.next(self.fan)

        @step
        def fan(self):
            self.next(self.row, foreach="rows")

        @step
        def row(self):
            self.sum = int(self.input.sum())
            self.next(self.total)

        @step
        def total(self, inputs):
            self.sums = [one.sum for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run()
    assert place.values("back")["firsts"] == ("a", "b")
    assert place.values("total")["sums"] == [1, 5, 9]


def test_current_says_where_a_task_is(place: Place) -> None:
    place.write(
        """
        alpha = Parameter("alpha", default=1)

        @step
        def start(self):
            self.facts = {
                name: getattr(current, name)
                for name in ("flow_name", "run_id", "step_name", "task_id", "retry_count",
                             "pathspec", "username", "namespace", "parameter_names",
                             "is_running_flow")
            }
            self.tags = sorted(current.tags)
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run("--tag", "trial", "--tag", "night")
    values = place.values("start")
    assert values["facts"] == {
        "flow_name": "F",
        "run_id": "1",
        "step_name": "start",
        "task_id": "1",
        "retry_count": 0,
        "pathspec": "F/1/start/1",
        "username": "ana",
        "namespace": "user:ana",
        "parameter_names": ["alpha"],
        "is_running_flow": True,
    }
    assert values["tags"] == ["night", "trial"]
    assert sorted(place.view().tags) == ["night", "trial"]


def test_a_wide_foreach_is_right_and_stays_small_on_disk(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.items = list(range(300))
            self.next(self.square, foreach="items")

        @step
        def square(self):
            self.squared = self.input ** 2
            self.next(self.join)

        @step
        def join(self, inputs):
            self.squares = [one.squared for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run("--max-workers", "8")
    assert place.values("join")["squares"] == [number**2 for number in range(300)]
    files = [path for path in place.store.rglob("*") if path.is_file()]
    assert len(files) <= 3 * 300, "more than a few files for each task"
    assert not list((place.store / "tmp").iterdir())


def test_a_switch_goes_the_way_of_its_value_and_meets_again(place: Place) -> None:
    place.write(
        """
        kind = Parameter("kind", default="fast")

        @step
        def start(self):
            self.next({"fast": self.short, "slow": self.long}, condition="kind")

        @step
        def short(self):
            self.way = "short"
            self.next(self.after)

        @step
        def long(self):
            self.way = "long"
            self.next(self.after)

        @step
        def after(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    ways = (("fast", "short", "long"), ("slow", "long", "short"))
    for run, (kind, way, other) in enumerate(ways, 1):
        place.run("--kind", kind)
        steps = place.view(run).steps()
        assert way in steps
        assert other not in steps
        assert place.task("start", run=run).next == (way,)
        assert place.values("end", run=run) == {"way": way}


def test_a_switch_repeats_steps_with_a_foreach_in_them_until_it_is_done(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.rounds = []
            self.next(self.fan)

        @step
        def fan(self):
            self.items = [10, 20]
            self.next(self.body, foreach="items")

        @step
        def body(self):
            self.value = self.input + len(self.rounds)
            self.next(self.gather)

        @step
        def gather(self, inputs):
            self.rounds = inputs[0].rounds + [[one.value for one in inputs]]
            self.more = len(self.rounds) < 3
            self.next(self.decide)

        @step
        def decide(self):
            self.next({True: self.fan, False: self.end}, condition="more")

        @step
        def end(self):
            pass
        """
    )
    place.run()
    assert place.values("end")["rounds"] == [[10, 20], [11, 21], [12, 22]]
    assert {step: len(refs) for step, refs in place.view().steps().items()} == {
        "start": 1,
        "fan": 3,
        "body": 6,
        "gather": 3,
        "decide": 3,
        "end": 1,
    }


def test_each_item_of_a_foreach_repeats_as_often_as_it_wants(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.wanted = [1, 3, 2]
            self.next(self.once, foreach="wanted")

        @step
        def once(self):
            self.done = getattr(self, "done", 0) + 1
            self.enough = self.done == self.input
            self.next({True: self.leave, False: self.once}, condition="enough")

        @step
        def leave(self):
            self.next(self.gather)

        @step
        def gather(self, inputs):
            self.counts = [one.done for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run()
    assert place.values("end")["counts"] == [1, 3, 2]
    assert len(place.view().steps()["once"]) == 6


def test_parallel_tasks_run_at_the_same_time_and_are_joined_in_order(place: Place) -> None:
    place.write(
        """
        nodes = Parameter("nodes", default=3)

        @step
        def start(self):
            self.next(self.work, num_parallel=self.nodes)

        @step
        def work(self):
            # Each waits for all others: with fewer workers than tasks it would never end.
            from pathlib import Path
            import time
            Path(f"here{self.index}").touch()
            while not all(Path(f"here{one}").exists() for one in range(self.nodes)):
                time.sleep(0.01)
            self.place = (self.index, self.input, self.foreach_stack())
            self.next(self.gather)

        @step
        def gather(self, inputs):
            self.places = [one.place for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run("--max-workers", "2")
    assert place.values("end")["places"] == [(i, i, [(i, 3, i)]) for i in range(3)]
    assert place.task("start").items == 3


def test_a_value_that_no_case_of_a_switch_has_fails_the_run_with_the_cases(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.kind = "odd"
            self.next({"a": self.one, "b": self.end}, condition="kind")

        @step
        def one(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    done = place.run(code=1)
    assert "step 'start' chooses by self.kind, which is 'odd': no case has it" in done.text
