"""The documents of consent: grants, statements, status lists and what people keep of them.

Everything here is text in, values out: no database, no home, no clock of its own.
"""
