"""What counts, as what, and when: `figures` define, `intake` judges what arrives, `grouping` adds up."""
