import logging
record = logging.makeLogRecord({})
print(record.relativeCreated < 5000)
