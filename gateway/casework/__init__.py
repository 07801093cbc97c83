"""The gateway's own records: what officers ask of an agency's desk, and what desks are told.

They hold no data of any agency: a record is named by its ref, which this gateway alone can open.
"""
