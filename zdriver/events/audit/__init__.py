"""From RabbitMQ into PostgreSQL: every event once."""
