-- Created with allowSeveral: such a subscription may run beside others of its customer to the same product.
ALTER TABLE subscriptions ADD COLUMN allows_several boolean NOT NULL DEFAULT false;
