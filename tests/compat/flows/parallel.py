"""num_parallel: several tasks of one step, which know of each other."""

from metaflow import FlowSpec, current, parallel, step


class Parallel(FlowSpec):
    @step
    def start(self):
        self.common = 1
        self.next(self.work, num_parallel=3)

    @parallel
    @step
    def work(self):
        self.node = (current.parallel.node_index, current.parallel.num_nodes)
        self.has_ip = bool(current.parallel.main_ip)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.nodes = sorted(one.node for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Parallel()
