"""Values that are read before the run, in steps, in decorators and as a parameter's default."""

import os

from metaflow import Config, FlowSpec, Parameter, config_expr, environment, step


def pairs(text):
    return dict(line.split("=") for line in text.splitlines() if line)


class Configured(FlowSpec):
    settings = Config("settings", default="settings.json")
    extra = Config("extra", default_value={"depth": {"of": 3}, "list": [1, 2]})
    plain = Config("plain", default="plain.cfg", parser=pairs)
    absent = Config("absent", required=False)

    size = Parameter("size", default=config_expr("settings.size"))

    @environment(vars={"COMPAT_NAME": config_expr("settings.name")})
    @step
    def start(self):
        self.seen = (self.settings.name, self.settings["size"], self.extra.depth.of)
        self.made = (dict(self.plain), self.extra.list[1], self.absent)
        self.word = os.environ["COMPAT_NAME"]
        self.next(self.end)

    @step
    def end(self):
        self.from_parameter = self.size
        try:
            self.settings = {}
        except AttributeError:
            self.refused = True


if __name__ == "__main__":
    Configured()
