-- What belongs to a notification is whose the notification is. Settings, inboxes and bounces are of people, alerts and
-- stores of backups of the system: the role of tenants has no right to them.
SELECT protect_rows('deliveries',
    'EXISTS (SELECT FROM notifications n WHERE n.id = deliveries.notification_id)');
SELECT protect_rows('webhook_attempts',
    'EXISTS (SELECT FROM deliveries d WHERE d.id = webhook_attempts.delivery_id)');
