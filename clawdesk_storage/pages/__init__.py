"""How reports are shown: pages, pictures, a badge, JUnit, and the lines of a terminal.

Every page is one file that needs no other, and no JavaScript. It is made of reports in their JSON
form: a report is what a program wrote down, whichever version of it that was.
"""
