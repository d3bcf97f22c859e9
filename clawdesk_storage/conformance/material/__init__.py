"""What a store is tried with: values, hostile ids, calls and sequences of them."""
