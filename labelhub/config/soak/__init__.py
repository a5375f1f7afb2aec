"""Long trials of what must never happen, by command (`manage.py soak NAME`) and, shortened, in the suite."""
