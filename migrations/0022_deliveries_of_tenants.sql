-- Deliveries belong to whom their notification belongs to; those of the system to nobody.
SELECT protect_rows('deliveries', 'EXISTS (SELECT FROM notifications n WHERE n.id = deliveries.notification_id)');
