"""The account as Polymarket tells of it: frames of the user channel and answers of REST, decoded into reports. Pure."""
