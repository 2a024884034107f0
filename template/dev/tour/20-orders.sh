
# Place an order, pay it, read it, and see what the payment provider took:
TOKEN=$(curl -s $ISSUER_URL/token -d tenant=acme -d scope='orders:read orders:write' | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
ORDER=$(curl -s $REST_URL/v1/orders -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"customer_id": "7f8a3c52-6a0b-4c1e-9d6e-3f1c2b4a5d60", "currency": "EUR", "lines": [{"sku": "chair", "quantity": 2, "unit_price": 4950}]}' | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
curl -s -X POST $REST_URL/v1/orders/$ORDER/payment -H "Authorization: Bearer $TOKEN"; echo
curl -s $REST_URL/v1/orders/$ORDER -H "Authorization: Bearer $TOKEN"; echo
curl -s $PROVIDER_URL/ledger; echo
