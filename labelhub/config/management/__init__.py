"""Django finds this package's commands here."""
