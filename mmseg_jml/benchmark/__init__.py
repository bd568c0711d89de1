"""Plans of trainings, what runs them, and the report of what they gave."""
