"""What may be seen: the question put to policy, its answer read strictly, and a plan narrowed.

Read `contract` (the question and the strict reading of the answer), then `enforce` (`authorise`,
which only ever narrows), `pdp` (the only module that talks to Open Policy Agent), `masks` and
`obligations` (what the gateway can carry out).
"""
