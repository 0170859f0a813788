"""Retrieved columns beside what is known of the truth."""
