"""From grades and verifications to numbers with intervals, and from those to the report. Pure functions, no torch."""
