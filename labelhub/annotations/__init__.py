"""What people drew: operations, their fold, frozen submissions."""
