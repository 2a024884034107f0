# A token from the development issuer; without one the answer is 401:
TOKEN=$(curl -s $ISSUER_URL/token -d tenant=acme | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
curl -s $REST_MANAGEMENT_URL/ready; echo
