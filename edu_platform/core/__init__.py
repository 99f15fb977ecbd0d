"""What every room stands on: base model, unit of work, clock, vocabulary, errors, problem details,
paging, sealing, outbox and jobs. Knows nothing of pieces, learners or campaigns.
"""
