"""The account as Kalshi tells of it: frames of private channels and answers of REST, decoded into reports. Pure."""
