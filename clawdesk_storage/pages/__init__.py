"""Pages that people look at, made of reports in their JSON form.

Every page is one file that needs no other, and no JavaScript. Nothing here knows the suite or the
bench: a report is what a program wrote down, whichever version of it that was.
"""
