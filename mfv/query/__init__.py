"""THE QUERY LANGUAGE of `log --where`: text in, an expression out, and what it says of a run.

Knows no repository and no database: a run is a value with facts (`facts`), and the text of a
statement for an index is only text (`sql`).
"""
