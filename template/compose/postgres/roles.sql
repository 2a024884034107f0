-- The three roles that the service connects as. None may see what row-level security hides.
CREATE ROLE acme_orders_owner LOGIN PASSWORD 'owner' NOSUPERUSER NOBYPASSRLS;
CREATE ROLE acme_orders_app LOGIN PASSWORD 'app' NOSUPERUSER NOBYPASSRLS;
CREATE ROLE acme_orders_worker LOGIN PASSWORD 'worker' NOSUPERUSER NOBYPASSRLS;
CREATE DATABASE service OWNER acme_orders_owner;
