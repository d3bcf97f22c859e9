"""How it is told: differences, frames and the report, which is data."""
