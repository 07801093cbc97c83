"""The officers' questions, and what each of the demonstration's people sees of each cell.

`questions/` has the twelve questions of officers' work as GraphQL documents, `questions.toml` what
is asked with them; `cells/` what the deployed rules make of them, one file for each question. A
review sees a change of the rules as a difference in these files.
"""
