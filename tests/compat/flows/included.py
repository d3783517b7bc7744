"""Files as parameters: text, bytes, none."""

from metaflow import FlowSpec, IncludeFile, step


class Included(FlowSpec):
    text = IncludeFile("text", default="words.txt", help="Some words.")
    raw = IncludeFile("raw", is_text=False, default="words.txt")
    latin = IncludeFile("latin", encoding="latin-1", default="latin.txt")
    absent = IncludeFile("absent", required=False)

    @step
    def start(self):
        self.seen = (self.text, self.raw, self.latin, self.absent)
        self.next(self.end)

    @step
    def end(self):
        self.lines = self.text.splitlines()
        try:
            self.text = "other"
        except AttributeError:
            self.refused = True


if __name__ == "__main__":
    Included()
