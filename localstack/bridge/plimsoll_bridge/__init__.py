"""Fills in what LocalStack's free edition and moto leave out of the AWS answers that plimsoll reads."""
